/*
 * CRC-32 of zip archives and Ethernet.
 */
#ifndef PTIO_ARCHIVE_CRC32_H
#define PTIO_ARCHIVE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/** The CRC of what `crc` is the CRC of, 0 of nothing, with `size` more bytes behind it. */
uint32_t ptio_crc32(uint32_t crc, const void *bytes, size_t size);

/** The CRC of bytes of which `crc` is the CRC, and behind them `size` more whose own is `next`. */
uint32_t ptio_crc32_join(uint32_t crc, uint32_t next, uint64_t size);

#endif
