/* BLAKE3 with 32 bytes, unkeyed: the hash of the native format, for inputs of a few KiB. */
#ifndef IRMINPY_BLAKE3_H
#define IRMINPY_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE3_SIZE 32
#define MOST_HASHED 4096 /* larger ones are hashed by the package blake3, which Python calls */

/* Looks at the processor, once; what was chosen before stays. */
void blake3_choose(void);

/* The digest of the `size` bytes at `data`. */
void blake3_digest(const uint8_t *data, size_t size, uint8_t out[BLAKE3_SIZE]);

#endif
