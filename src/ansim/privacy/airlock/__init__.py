"""The airlock without a site: a folder of files checked before anybody asks for its release."""
