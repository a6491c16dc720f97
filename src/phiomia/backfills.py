"""Every backfill that this release may have to do."""

from phiomia.domain.users.fill_app_of_users import find_apps_of_users
from phiomia.upgrade.backfills import Backfill

BACKFILLS: tuple[Backfill, ...] = (Backfill("app-of-users@1", "users", 200, find_apps_of_users, until="c0001"),)
