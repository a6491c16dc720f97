"""A small invented world for those who want to look around: `phiomia serve --demo`. Begin with `fill`."""

from phiomia.demo.fill import fill_demo

__all__ = ["fill_demo"]
