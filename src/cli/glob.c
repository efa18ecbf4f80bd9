/*
 * Globs. fnmatch() would take a byte for a character, since the command uses no locale; it is asked for the classes of POSIX alone, such
 * as [[:digit:]]. After a mismatch the last * takes one character more, so that the time is at most the product of both lengths.
 */
#include "cli/glob.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

/* The character at `at`, which moves behind it; a byte that is no UTF-8 stands for itself. */
static unsigned long next_character(const char **at)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    size_t more = bytes[0] >= 0xF0 ? 3 : bytes[0] >= 0xE0 ? 2 : bytes[0] >= 0xC0 ? 1 : 0;
    unsigned long character = bytes[0];
    for (size_t i = 1; i <= more; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            ++*at;
            return bytes[0];
        }
        character = character << 8 | bytes[i];
    }
    *at += more + 1;
    return character;
}

/* A character of a glob, which a backslash may stand in front of. */
static unsigned long next_literal(const char **at)
{
    if (**at == '\\' && (*at)[1])
        ++*at;
    return next_character(at);
}

/* The set behind a [; *at moves behind its ]. False where there is none, and the [ is a character. */
static bool read_set(const char **at, unsigned long character, bool *found)
{
    const char *end = *at, *first;
    bool inverse = *end == '!' || *end == '^', is_in = false;
    end += inverse;
    for (first = end; *end && (*end != ']' || end == first);) {
        unsigned long from = next_literal(&end), to = from;
        if (*end == '-' && end[1] && end[1] != ']') {
            end++;
            to = next_literal(&end);
        }
        is_in = is_in || (character >= from && character <= to);
    }
    if (!*end)
        return false;
    *at = end + 1;
    *found = is_in != inverse;
    return true;
}

/* Whether a character is what the glob has next; *at moves behind that. */
static bool matches_one(const char **at, unsigned long character)
{
    bool found;
    if (**at == '?') {
        ++*at;
        return true;
    }
    if (**at == '[') {
        const char *set = *at + 1;
        if (read_set(&set, character, &found)) {
            *at = set;
            return found;
        }
    }
    return next_literal(at) == character;
}

bool glob_matches(const char *glob, const char *name)
{
    const char *star = NULL, *behind = NULL; /* of the glob behind the last *, and where in the name that goes on */
    if (strstr(glob, "[[:") || strstr(glob, ":]"))
        return fnmatch(glob, name, 0) == 0;
    while (*name || *glob == '*') {
        if (*glob == '*') {
            star = ++glob;
            behind = name;
            continue;
        }
        const char *next = name;
        unsigned long character = next_character(&next);
        if (*glob && matches_one(&glob, character)) {
            name = next;
            continue;
        }
        if (!star)
            return false;
        (void)next_character(&behind);
        glob = star;
        name = behind;
    }
    return !*glob;
}
