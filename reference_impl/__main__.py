"""`python -m reference_impl …`"""

from reference_impl.cli import run

if __name__ == "__main__":
    run()
