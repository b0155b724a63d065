"""The degradations as transforms of PyTorch, MONAI and TorchIO: thin layers over `medq_deg.degrade`, a module each.

Each needs its library: the extras `torch`, `monai` and `torchio`.
"""
