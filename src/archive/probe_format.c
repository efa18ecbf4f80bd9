/*
 * Formats that are known by a mark: one row each, and a few that need a closer look.
 */
#include <string.h>

#include "archive/probe.h"
#include "base/cursor.h"
#include "base/text.h"

#define U PTIO_ERR_UNSUPPORTED
#define F PTIO_ERR_FORMAT

typedef struct signature {
    uint16_t offset, size;
    const char *mark;
    ptio_status status; /* U: a format of models, or one that may hold a checkpoint; F: something else altogether */
    const char *reason, *what;
} signature;

#define MARK(offset, literal) (offset), sizeof(literal) - 1, (literal)

static const signature signatures[] = {
    {MARK(0, "\x1F\x8B"), U, "not.gzip", "it is compressed by gzip: unpack it first (gunzip)"},
    {MARK(0, "BZh"), U, "not.bzip2", "it is compressed by bzip2: unpack it first (bunzip2)"},
    {MARK(0, "\xFD"
             "7zXZ\0"),
     U, "not.xz", "it is compressed by xz: unpack it first (unxz)"},
    {MARK(0, "\x28\xB5\x2F\xFD"), U, "not.zstd", "it is compressed by zstd: unpack it first (unzstd)"},
    {MARK(0, "\x04\x22\x4D\x18"), U, "not.lz4", "it is compressed by lz4: unpack it first (unlz4)"},
    {MARK(0, "7z\xBC\xAF\x27\x1C"), U, "not.7z", "it is a 7z archive: unpack it first"},
    {MARK(0, "Rar!\x1A\x07"), U, "not.rar", "it is a RAR archive: unpack it first"},
    {MARK(0, "PK\7\b"), U, "not.divided-zip", "it is the first part of a zip archive of several files"},
    {MARK(0, "PK\5\6"), F, "not.empty-zip", "it is a zip archive without records"},
    {MARK(0, "PYTORCH1"), U, "not.preview", "it is an archive of a preview release of PyTorch 1.0, which no release reads"},
    {MARK(4, "PTMF"), U, "not.ptmf", "it is a flatbuffer of PyTorch Mobile (PTMF), not a file of torch.save"},
    {MARK(4, "TFL3"), U, "not.tflite", "it is a TensorFlow Lite model"},
    {MARK(0, "GGUF"), U, "not.gguf", "it is a GGUF model"},
    {MARK(0, "lmgg"), U, "not.ggml", "it is a GGML model"},
    {MARK(0, "fmgg"), U, "not.ggml", "it is a GGML model"},
    {MARK(0, "tjgg"), U, "not.ggml", "it is a GGML model"},
    {MARK(0, "algg"), U, "not.ggml", "it is a GGML adapter"},
    {MARK(0, "\x89HDF\r\n\x1A\n"), U, "not.hdf5", "it is an HDF5 file, as Keras writes weights"},
    {MARK(0, "\4\0\0\0\1\0\0\0\3\0\0\0V 1"), U, "not.torch7", "it is a file of Torch7, the Lua Torch (.t7)"},
    {MARK(0, "4\n1\n3\nV 1\n"), U, "not.torch7", "it is a text file of Torch7, the Lua Torch (.t7)"},
    {MARK(0, "{L\0\0\0\0\0\0\0\7learner"), U, "not.xgboost", "it is an XGBoost model in UBJSON"},
    {MARK(0, "binf"), U, "not.xgboost", "it is an XGBoost model"},
    {MARK(0, "PAR1"), F, "not.parquet", "it is a Parquet file"},
    {MARK(0, "ARROW1\0\0"), F, "not.arrow", "it is an Arrow file"},
    {MARK(0, "MATLAB 5.0 MAT-file"), F, "not.matlab", "it is a MATLAB file"},
    {MARK(0, "SQLite format 3\0"), F, "not.sqlite", "it is an SQLite database"},
    {MARK(0, "%PDF-"), F, "not.pdf", "it is a PDF document"},
    {MARK(0, "\x89PNG\r\n\x1A\n"), F, "not.png", "it is a PNG picture"},
    {MARK(0, "\xFF\xD8\xFF"), F, "not.jpeg", "it is a JPEG picture"},
    {MARK(0, "GIF8"), F, "not.gif", "it is a GIF picture"},
    {MARK(0, "RIFF"), F, "not.riff", "it is a RIFF file: sound, video or a picture"},
    {MARK(0, "\x7F"
             "ELF"),
     F, "not.elf", "it is an ELF file: a program or library"},
    {MARK(0, "MZ\x90\0"), F, "not.pe", "it is a Windows program or library"},
    {MARK(0, "\xCF\xFA\xED\xFE"), F, "not.macho", "it is a macOS program or library"},
    {MARK(0, "\xCA\xFE\xBA\xBE"), F, "not.macho", "it is a macOS program or a Java class"},
    {MARK(0, "\xFF\xFE"), F, "not.utf16", "it is a text in UTF-16"},
    {MARK(0, "\xFE\xFF"), F, "not.utf16", "it is a text in UTF-16"},
};

static bool set(ptio_probe *ret, ptio_status status, const char *reason, const char *what)
{
    *ret = (ptio_probe){.format = PTIO_FORMAT_FOREIGN, .status = status, .reason = reason};
    (void)snprintf(ret->what, sizeof ret->what, "%s", what);
    return true;
}

static bool name_by_mark(const ptio_sample *s, ptio_probe *ret)
{
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const signature *sig = &signatures[i];
        if (s->size >= (size_t)sig->offset + sig->size && memcmp(s->head + sig->offset, sig->mark, sig->size) == 0)
            return set(ret, sig->status, sig->reason, sig->what);
    }
    return false;
}

/* A length of 8 bytes, then a JSON object of that length. */
static bool is_safetensors(const ptio_sample *s)
{
    if (s->size < 10 || s->head[8] != '{' || (s->head[9] != '"' && s->head[9] != '}' && s->head[9] != ' '))
        return false;
    uint64_t length = ptio_load_u64(s->head);
    return length >= 2 && length <= 100000000;
}

static bool is_printable(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < 0x20 || bytes[i] >= 0x7F)
            return false;
    return size > 0;
}

/* Protocol buffers of models, by their first fields: a version number (08 N), then a text (ONNX's producer) or a description. */
static bool name_protobuf(const ptio_sample *s, ptio_probe *ret)
{
    const uint8_t *p = s->head;
    if (s->size < 6)
        return false;
    size_t text = p[3];
    if (p[0] == 0x08 && p[1] >= 1 && p[1] <= 20 && p[2] == 0x12 && text && text < 64 && 4 + text < s->size)
        return is_printable(p + 4, text)
                   ? set(ret, U, "not.onnx", "it is an ONNX model")
                   : set(ret, U, "not.coreml", "it is a Core ML model, or another one in a protocol buffer");
    if (p[0] == 0x08 && p[1] >= 1 && p[1] <= 20 && p[2] == 0x3A)
        return set(ret, U, "not.onnx", "it is an ONNX model");
    size_t name = 2;
    while (name < s->size && is_printable(p + name, 1))
        name++;
    /* The name of the net, then its layers (field 99 or 100). */
    if (p[0] == 0x0A && name > 3 && (name - 2 == p[1] || name - 1 == p[1]) && name + 2 <= s->size &&
        (p[name] == 0x9A || p[name] == 0xA2) && p[name + 1] == 0x06)
        return set(ret, U, "not.caffe", "it is a Caffe model");
    return false;
}

static bool is_tensorflow_index(const ptio_sample *s)
{
    static const uint8_t mark[8] = {0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB};
    return s->whole >= 48 && s->tail_size >= 8 && memcmp(s->tail + s->tail_size - 8, mark, 8) == 0;
}

bool ptio_name_format(const ptio_sample *s, ptio_probe *ret)
{
    if (name_by_mark(s, ret))
        return true;
    if (is_safetensors(s))
        return set(ret, U, "not.safetensors", "it is a safetensors file");
    if (is_tensorflow_index(s))
        return set(ret, U, "not.tensorflow-index", "it is the index of a TensorFlow checkpoint");
    return name_protobuf(s, ret);
}
