# The Python that the module is built for: of the oracle, where there is one, since its tests run there; else the one of the path.
#
#     PTIO_PYTHON_MODULE    whether it is to be built

set(PTIO_PYTHON_MODULE OFF)
if(PTIO_PYTHON)
    if(NOT Python3_EXECUTABLE AND PTIO_ORACLE_PYTHON)
        set(Python3_EXECUTABLE ${PTIO_ORACLE_PYTHON})
    endif()
    set(required REQUIRED)
    if(PTIO_PYTHON STREQUAL "AUTO")
        set(required QUIET)
    endif()
    find_package(Python3 3.11 ${required} COMPONENTS Interpreter Development.Module)
    if(Python3_Development.Module_FOUND)
        set(PTIO_PYTHON_MODULE ON)
    else()
        message(STATUS "The Python module is left out: there is no Python 3.11 or later with its headers")
    endif()
endif()
