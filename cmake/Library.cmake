# libptio, shared and static, of the same objects. The shared one exports the functions that ptio.h marks PTIO_API and nothing
# else: its version script is made from the header here, and tests/checks/symbols.sh looks at the result.

file(READ include/ptio.h header)
string(REGEX MATCHALL "PTIO_API [^(;]*[ *]ptio_[a-z0-9_]+\\(" declarations "${header}")
set(map "PTIO_${PROJECT_VERSION_MAJOR} {\nglobal:\n")
foreach(declaration IN LISTS declarations)
    string(REGEX MATCH "ptio_[a-z0-9_]+\\($" name "${declaration}")
    string(REPLACE "(" ";\n" name "${name}")
    string(APPEND map "    ${name}")
endforeach()
string(APPEND map "local:\n    *;\n};\n")
file(CONFIGURE OUTPUT ptio.map CONTENT "${map}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS include/ptio.h)

add_library(ptio SHARED ${objects})
add_library(ptio_static STATIC ${objects})
foreach(target ptio ptio_static)
    string(REPLACE "ptio_" "" name ${target})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ptio EXPORT_NAME ${name} LINKER_LANGUAGE C)
    add_library(ptio::${name} ALIAS ${target})
    target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                   $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()

set_target_properties(ptio PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(ptio PRIVATE ptio_flags ${PTIO_DEPENDENCIES})
include(CheckLinkerFlag)
check_linker_flag(C "-Wl,--version-script=${PROJECT_BINARY_DIR}/ptio.map" PTIO_HAVE_VERSION_SCRIPT)
if(PTIO_HAVE_VERSION_SCRIPT)
    target_link_options(ptio PRIVATE -Wl,--version-script=${PROJECT_BINARY_DIR}/ptio.map -Wl,-Bsymbolic-functions)
    set_property(TARGET ptio APPEND PROPERTY LINK_DEPENDS ${PROJECT_BINARY_DIR}/ptio.map)
endif()

target_link_libraries(ptio_static PUBLIC ${PTIO_DEPENDENCIES})
if(PTIO_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # What gcc adds for itself is of this very release of gcc: another one would stumble over it.
    add_custom_command(TARGET ptio_static POST_BUILD COMMAND ${CMAKE_OBJCOPY} --wildcard --remove-section=.gnu.lto_*
                       --remove-section=.gnu.debuglto_* --strip-symbol=__gnu_lto_v1 $<TARGET_FILE:ptio_static> VERBATIM)
endif()
