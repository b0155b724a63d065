"""llama.cpp's own HTTP server, which the wheel of xllamacpp holds: python llama_server.py MODEL MMPROJ PORT SLOTS.

SLOTS is the most choices that it gives to one request. An empty MMPROJ serves the model without images.
"""

from __future__ import annotations

import sys
import time

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.mmproj.path = sys.argv[1:3]
parameters.port, parameters.n_parallel = int(sys.argv[3]), int(sys.argv[4])
parameters.n_ctx = 2048 * parameters.n_parallel
parameters.model_alias = {"tiny"}
parameters.cpuparams.n_threads = 1
parameters.use_jinja = True
server = xllamacpp.Server(parameters)
print("listening", server.listening_address, flush=True)
while True:
    time.sleep(60)
