"""What a build may make, and what its packages may hold."""

from f2fbuild.limits.units import KIB, MIB

PRODUCTS_PER_BUILD = 50_000
"""Products of one build; more is a failed build, stage package (`products.json` stays below 16 MiB)."""

PRODUCT_NAME_BYTES = 255
"""Bytes of a product's name: what a directory entry holds (NAME_MAX)."""

REFUSAL_DETAIL_CHARACTERS = 300
"""Characters that say why a product is refused: a person reads them, and a hostile header may fill them."""

DIGEST_REPORT_BYTES = 64 * MIB
"""Bytes of the report about all products of a build: 50,000 of them take 25 MiB."""

PRODUCT_CHUNK_BYTES = 64 * KIB
"""Bytes of a product that are read, decompressed and hashed at once."""

UNPACKED_BYTES = 32 * 1024 * MIB
"""Decompressed bytes of one package: the largest debuginfo packages are below 10 GiB, a bomb is not."""

DECOMPRESSOR_BYTES = 192 * MIB
"""Memory that a decompressor may take for its window: xz -9 needs 65 MiB, zstd --long=27 needs 128 MiB."""

ZSTD_INPUT_BYTES = KIB
"""Bytes given to zstd at once, whose output cannot be capped: four bytes may become a 128 KiB block, so
this gives 32 MiB at most."""

RPM_SIGNATURE_BYTES = MIB
"""Bytes of an RPM's signature header: rpm writes 4 KiB and what `%__gpg_reserved_space` adds."""

RPM_HEADER_BYTES = 256 * MIB
"""Bytes of an RPM's main header (rpm 4.18 lib/header.c, HEADER_DATA_MAX)."""

RPM_HEADER_ENTRIES = 0xFFFF
"""Entries of an RPM header (rpm 4.18 lib/header.c, HEADER_TAGS_MAX)."""

RPM_ARRAY_ITEMS = 0xFFFFF
"""Items of one header entry, thus files of an RPM (rpm 4.18 lib/header.c, HEADER_ARRAY_MAX)."""

ARCHIVE_PATH_BYTES = 4096
"""Bytes of a path or link target in a package: what a kernel takes (PATH_MAX)."""

DEB_FILES = 0xFFFFF
"""Files of a .deb: as many as an RPM may have."""

DEB_CONTROL_BYTES = 64 * MIB
"""Unpacked bytes of a .deb's control archive: the md5sums of 500,000 files."""

CONTROL_FILE_BYTES = 4 * MIB
"""Bytes of a control paragraph or .buildinfo: one that names 20,000 installed packages has 1 MiB."""
