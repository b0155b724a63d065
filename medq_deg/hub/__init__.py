"""What goes to the Hugging Face Hub: the dataset, and results of runs."""
