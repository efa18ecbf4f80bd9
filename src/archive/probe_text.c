/*
 * Files of text that are taken for checkpoints: what a download left instead of the file, a configuration, an index.
 */
#include <string.h>

#include "archive/probe.h"
#include "base/text.h"

static bool set(ptio_probe *ret, const char *reason, const char *what)
{
    *ret = (ptio_probe){.format = PTIO_FORMAT_FOREIGN, .status = PTIO_ERR_FORMAT, .reason = reason};
    (void)snprintf(ret->what, sizeof ret->what, "%s", what);
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether `word`, in lower case, is somewhere in the text. */
static bool holds(ptio_text text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.size; i++) {
        size_t k = 0;
        while (k < n && lower(text.bytes[i + k]) == word[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

static ptio_text skip_blanks(ptio_text text)
{
    while (text.size && (text.bytes[0] == ' ' || (text.bytes[0] >= '\t' && text.bytes[0] <= '\r'))) {
        text.bytes++;
        text.size--;
    }
    return text;
}

/* No control characters, and UTF-8 but for a last character that the sample may have cut. */
static bool is_text(ptio_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if ((c < 0x20 && !(c >= '\t' && c <= '\r') && c != 0x1B) || c == 0x7F)
            return false;
    }
    for (size_t cut = 0; cut < 4 && cut < text.size; cut++)
        if (ptio_utf8_valid(text.bytes, text.size - cut, false))
            return true;
    return false;
}

/* "version https://git-lfs…\noid sha256:…\nsize N\n" */
static bool name_pointer(ptio_text text, ptio_probe *ret)
{
    if (!ptio_text_starts(text, "version https://git-lfs"))
        return false;
    for (size_t i = 0; i + 6 < text.size; i++) {
        if (memcmp(text.bytes + i, "\nsize ", 6) != 0)
            continue;
        ptio_text digits = {text.bytes + i + 6, 0};
        while (digits.bytes + digits.size < text.bytes + text.size && digits.size < 20 && digits.bytes[digits.size] >= '0' &&
               digits.bytes[digits.size] <= '9')
            digits.size++;
        (void)set(ret, "not.git-lfs", "");
        (void)snprintf(ret->what, sizeof ret->what, "it is a Git LFS pointer for a file of %s bytes, not the file (git lfs pull)",
                       ptio_quote(digits).text);
        return true;
    }
    return set(ret, "not.git-lfs", "it is a Git LFS pointer, not the file (git lfs pull)");
}

static bool name_markup(ptio_text text, ptio_probe *ret)
{
    if (!text.size || text.bytes[0] != '<')
        return false;
    bool html = holds(text, "<html") || holds(text, "<!doctype html");
    if (html && holds(text, "google drive"))
        return set(ret, "not.google-drive", "it is the HTML page on which Google Drive asks to confirm a download, not the file");
    if (html)
        return set(ret, "not.html", "it is an HTML page, not the file: the download failed");
    if (holds(text, "<error>"))
        return set(ret, "not.xml", "it is an XML error message of a file store, not the file: the download failed");
    return set(ret, "not.xml", "it is an XML text");
}

static bool name_json(ptio_text text, ptio_probe *ret)
{
    if (!text.size || (text.bytes[0] != '{' && text.bytes[0] != '['))
        return false;
    ptio_text inside = skip_blanks((ptio_text){text.bytes + 1, text.size - 1});
    if (inside.size && text.bytes[0] == '{' && inside.bytes[0] != '"' && inside.bytes[0] != '}')
        return false;
    if (holds(inside, "error") && text.size < 2048)
        return set(ret, "not.json", "it is a JSON error message, not the file: the download failed");
    return set(ret, "not.json", "it is a JSON text");
}

/* A first line "key:" or "key: value", or "---". */
static bool name_yaml(ptio_text text, ptio_probe *ret)
{
    size_t i = 0;
    while (i < text.size &&
           (text.bytes[i] == '_' || text.bytes[i] == '-' || text.bytes[i] == '#' ||
            (lower(text.bytes[i]) >= 'a' && lower(text.bytes[i]) <= 'z') || (text.bytes[i] >= '0' && text.bytes[i] <= '9')))
        i++;
    bool key = i && i + 1 < text.size && text.bytes[i] == ':' && (text.bytes[i + 1] == ' ' || text.bytes[i + 1] == '\n');
    return (key || ptio_text_starts(text, "---\n")) && set(ret, "not.yaml", "it is a YAML text: a configuration, not weights");
}

bool ptio_name_text(const ptio_sample *s, ptio_probe *ret)
{
    ptio_text text = {(const char *)s->head, s->size};
    if (ptio_text_starts(text, "\xEF\xBB\xBF"))
        text = (ptio_text){text.bytes + 3, text.size - 3};
    if (!is_text(text))
        return false;
    text = skip_blanks(text);
    return name_pointer(text, ret) || name_markup(text, ret) || name_json(text, ret) || name_yaml(text, ret) ||
           set(ret, "not.text", "it is a text");
}
