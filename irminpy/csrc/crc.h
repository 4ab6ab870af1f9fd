/* The CRC-32 of zlib: polynomial 0xEDB88320, all bits turned around. */
#ifndef IRMINPY_CRC_H
#define IRMINPY_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Fills the tables, before anything else here is called. */
void crc_begin(void);

/* The crc of the `size` bytes at `data`, which follow others of the crc `before`; 0 if there are none. */
uint32_t crc_of(const uint8_t *data, size_t size, uint32_t before);

#endif
