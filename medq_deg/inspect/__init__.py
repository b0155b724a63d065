"""MedQ-Deg in inspect-ai: the task, its scorer and metric, and a provider for models in transformers.

inspect-ai finds them by itself through the entry point `medq_deg`; nothing else of the package imports this one.
"""
