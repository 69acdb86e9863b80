"""Running a site for years: releases and bundles, services, measures, backups, upgrades."""
