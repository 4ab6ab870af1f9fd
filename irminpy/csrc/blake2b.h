/* BLAKE2b, unkeyed: the usual hash of Irmin's formats, for inputs of a few KiB. */
#ifndef IRMINPY_BLAKE2B_H
#define IRMINPY_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE2B_MOST 64 /* bytes of the longest digest */

/* The digest, of 1 to 64 bytes, of the `size` bytes at `data`. */
void blake2b_digest(const uint8_t *data, size_t size, uint8_t *out, size_t digest);

#endif
