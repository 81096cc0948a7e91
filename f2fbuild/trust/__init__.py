"""The trust room: who may ask what of whom, decided from OpenPGP certifications."""
