// What zstd.ts calls of zstd: it packs values of some kB with dictionaries that are prepared once. Frames have no magic
// number, no length and no dictionary's id, because the row says what they would, and bytes are money.

#include <stdio.h>
#include <stdlib.h>
// Whoever makes dictionaries prints its progress to stderr. With that the module would need WASI's files to be started.
#define fprintf(...) 0
#define fflush(...) 0
#define ZSTD_STATIC_LINKING_ONLY
#define ZDICT_STATIC_LINKING_ONLY
#include "zstd.c"

#define EXPORT(name) __attribute__((export_name(#name))) name

/** Of the longest value, and of one that zstd makes longer. */
enum { ROOM_BYTES = VALUE_BYTES + 512 };

static char input[ROOM_BYTES], output[ROOM_BYTES];
static ZSTD_CCtx* compressing;
static ZSTD_DCtx* decompressing;

/** Errors become 0, which no result is. */
static size_t length_or_zero(size_t result) { return ZSTD_isError(result) ? 0 : result; }

char* EXPORT(inputAt)(void) { return input; }
char* EXPORT(outputAt)(void) { return output; }

int EXPORT(begin)(void) {
  compressing = ZSTD_createCCtx();
  decompressing = ZSTD_createDCtx();
  if (!compressing || !decompressing) return 0;
  ZSTD_CCtx_setParameter(compressing, ZSTD_c_format, ZSTD_f_zstd1_magicless);
  ZSTD_CCtx_setParameter(compressing, ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(compressing, ZSTD_c_dictIDFlag, 0);
  ZSTD_DCtx_setParameter(decompressing, ZSTD_d_format, ZSTD_f_zstd1_magicless);
  return 1;
}

void* EXPORT(allocate)(size_t bytes) { return malloc(bytes); }
void EXPORT(release)(void* memory) { free(memory); }

/** Prepares a dictionary to compress values of about so many bytes. */
void* EXPORT(compressor)(const void* dictionary, size_t bytes, int level, size_t value_bytes) {
  ZSTD_compressionParameters parameters = ZSTD_getCParams(level, value_bytes, bytes);
  return ZSTD_createCDict_advanced(dictionary, bytes, ZSTD_dlm_byCopy, ZSTD_dct_fullDict, parameters, ZSTD_defaultCMem);
}
void EXPORT(freeCompressor)(ZSTD_CDict* compressor) { ZSTD_freeCDict(compressor); }

void* EXPORT(decompressor)(const void* dictionary, size_t bytes) { return ZSTD_createDDict(dictionary, bytes); }
void EXPORT(freeDecompressor)(ZSTD_DDict* decompressor) { ZSTD_freeDDict(decompressor); }

/** What an error has left undone is ended first, because another dictionary would be refused then. */
size_t EXPORT(compress)(const ZSTD_CDict* compressor, size_t bytes) {
  ZSTD_CCtx_reset(compressing, ZSTD_reset_session_only);
  if (ZSTD_isError(ZSTD_CCtx_refCDict(compressing, compressor))) return 0;
  return length_or_zero(ZSTD_compress2(compressing, output, ROOM_BYTES, input, bytes));
}

size_t EXPORT(decompress)(const ZSTD_DDict* decompressor, size_t bytes, size_t most) {
  ZSTD_DCtx_reset(decompressing, ZSTD_reset_session_only);
  if (ZSTD_isError(ZSTD_DCtx_refDDict(decompressing, decompressor))) return 0;
  return length_or_zero(ZSTD_decompressDCtx(decompressing, output, most, input, bytes));
}

/** Of a content whose most frequent parts come last, and of samples, one after the other, whose statistics it gets. */
size_t EXPORT(makeDictionary)(const void* content, size_t bytes, const void* samples, const size_t* sample_bytes,
                              unsigned count, int level) {
  ZDICT_params_t parameters = {level, 0, 0};
  return length_or_zero(
      ZDICT_finalizeDictionary(output, ROOM_BYTES, content, bytes, samples, sample_bytes, count, parameters));
}
