/*
 * NumPy's dates.
 *
 * A datetime64 counts units since 1970 by the Gregorian calendar, which is taken to reach back for ever. The text goes as far as the
 * unit: years, months, days, then hours to attoseconds behind a T. A unit may be a multiple: "25s".
 * Source: numpy/_core/src/multiarray/datetime.c and datetime_strings.c.
 */
#include "print/numpy_time.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/os.h"
#include "base/text.h"

/* Units of a day and shorter: how many make a day, or of those below a second, a second, and the places of that. */
static const struct unit {
    const char *name;
    int64_t per_day, per_second;
    int places;
} units[] = {
    {"W", 0, 0, 0},
    {"D", 1, 0, 0},
    {"h", 24, 0, 0},
    {"m", 1440, 0, 0},
    {"s", 86400, 1, 0},
    {"ms", 0, 1000, 3},
    {"us", 0, 1000000, 6},
    {"ns", 0, 1000000000, 9},
    {"ps", 0, 1000000000000, 12},
    {"fs", 0, 1000000000000000, 15},
    {"as", 0, 1000000000000000000, 18},
};

static int64_t floor_divide(int64_t value, int64_t by, int64_t *rest)
{
    int64_t quotient = value / by;
    *rest = value % by;
    if (*rest < 0) {
        *rest += by;
        quotient--;
    }
    return quotient;
}

/* Years of 400 have 146097 days. Counted from March, the leap day ends a year. */
static size_t put_days(int64_t days, char *text)
{
    int64_t rest;
    int64_t era = floor_divide(days + 719468, 146097, &rest);
    int64_t year = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    int64_t day = rest - (365 * year + year / 4 - year / 100), month = (5 * day + 2) / 153;
    day = day - (153 * month + 2) / 5 + 1;
    year += 400 * era + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;
    return (size_t)sprintf(text, "%04" PRId64 "-%02d-%02d", year, (int)month, (int)day);
}

static size_t put_year(int64_t year, char *text)
{
    return (size_t)sprintf(text, "%04" PRId64, year);
}

static size_t put_clock(int64_t seconds, char *text)
{
    return (size_t)sprintf(text, "T%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
}

static size_t put_unit(int64_t value, const struct unit *u, char *text)
{
    int64_t rest, part = 0;
    if (u->name[0] == 'W')
        return value > INT64_MAX / 8 || value < INT64_MIN / 8 ? 0 : put_days(7 * value, text);
    if (u->places) {
        value = floor_divide(value, u->per_second, &part);
        rest = value;
        value = floor_divide(rest, 86400, &rest);
    } else {
        value = floor_divide(value, u->per_day, &rest);
        rest *= 86400 / u->per_day;
    }
    if (value > INT64_MAX - 1000000 || value < INT64_MIN + 1000000)
        return 0;
    size_t size = put_days(value, text);
    if (u->per_day == 1)
        return size;
    size += put_clock(rest, text + size);
    if (u->name[0] == 'h')
        return size - 6;
    if (strcmp(u->name, "m") == 0)
        return size - 3;
    if (u->places)
        size += (size_t)sprintf(text + size, ".%0*" PRId64, u->places, part);
    return size;
}

size_t ptio_nptime_date(int64_t value, ptio_text unit, char text[PTIO_NPTIME_ROOM])
{
    if (value == PTIO_NPTIME_NAT)
        return (size_t)sprintf(text, "NaT");
    int64_t factor = 0, rest;
    while (unit.size && *unit.bytes >= '0' && *unit.bytes <= '9' && factor < INT32_MAX) {
        factor = factor * 10 + (*unit.bytes - '0');
        unit = (ptio_text){unit.bytes + 1, unit.size - 1};
    }
    if (!ptio_mul_i64(value, factor ? factor : 1, &value))
        return 0;
    if (ptio_text_is(unit, "Y"))
        return value > INT64_MAX - 1970 || value < INT64_MIN + 3000 ? 0 : put_year(value + 1970, text);
    if (ptio_text_is(unit, "M")) {
        int64_t years = floor_divide(value, 12, &rest);
        size_t size = put_year(years + 1970, text);
        return size + (size_t)sprintf(text + size, "-%02d", (int)rest + 1);
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ptio_text_is(unit, units[i].name))
            return put_unit(value, &units[i], text);
    return 0;
}
