"""What may enter the landing, judged from what a pull brought."""
