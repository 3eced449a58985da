# `cmake --install BUILD --component client`: the CMake package `ippclient`. docs/adr/0013.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ippclient)

set_target_properties(ipp_client PROPERTIES EXPORT_NAME ippclient OUTPUT_NAME ippclient)
# Whoever uses stubs links the contract from here, so that a program has it once.
set_target_properties(ipp_grpc PROPERTIES EXPORT_NAME contract OUTPUT_NAME ippclient_contract)
set_target_properties(ipp_proto PROPERTIES EXPORT_NAME contract_messages OUTPUT_NAME ippclient_contract_messages)
install(TARGETS ipp_client ipp_grpc ipp_proto EXPORT ippclient
        ARCHIVE COMPONENT client INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/ippclient DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT client)
install(DIRECTORY ${IPP_GEN_DIR}/kustom DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT client
        FILES_MATCHING PATTERN "*.pb.h")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/proto/kustom DESTINATION ${CMAKE_INSTALL_DATADIR}/ippclient/proto
        COMPONENT client FILES_MATCHING PATTERN "*.proto")

install(EXPORT ippclient NAMESPACE ippclient:: FILE ippclientTargets.cmake
        DESTINATION ${package_dir} COMPONENT client)
configure_package_config_file(${CMAKE_CURRENT_SOURCE_DIR}/package/ippclientConfig.cmake.in ippclientConfig.cmake
                              INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_DATADIR)
# Before 1.0 a minor version may break what was there.
write_basic_package_version_file(ippclientConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ippclientConfig.cmake
        ${CMAKE_CURRENT_BINARY_DIR}/ippclientConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT client)
