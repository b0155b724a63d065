"""What goes to the Hugging Face Hub: the dataset."""
