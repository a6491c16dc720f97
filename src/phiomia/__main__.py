"""`python -m phiomia`."""

from phiomia.cli.main import main

main()
