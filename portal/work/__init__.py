"""The worker's jobs: launching, stopping, grading, and the caretaker that loses none of them."""
