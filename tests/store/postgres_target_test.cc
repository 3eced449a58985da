#include "server/store/postgres/target.h"

#include <fstream>

#include "gmock/gmock.h"
#include "tests/store/store_contract.h"

namespace ipp::store {
namespace {

using contract::TempDirectory;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class PostgresTargetTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<PostgresTarget>> Read(const std::string& dsn,
                                                   PostgresRole role = PostgresRole::kWrite) {
    std::ofstream(directory_.File("dsn")) << dsn;
    return ReadTargets({directory_.File("dsn"), password_file_}, role);
  }
  std::map<std::string, std::string> ReadOne(const std::string& dsn,
                                             PostgresRole role = PostgresRole::kWrite) {
    auto targets = Read(dsn, role).value();
    EXPECT_EQ(targets.size(), 1u);
    return targets[0].parameters;
  }

  const TempDirectory directory_;
  std::string password_file_;
};

TEST_F(PostgresTargetTest, ReadsBothFormsInOneLineOrSeveral) {
  for (const char* dsn :
       {"host=db.example user=gateway password=pw dbname=ipp\n",
        "# the gateway's\nhost=db.example\n user=gateway\npassword=pw\ndbname=ipp",
        "postgresql://gateway:pw@db.example/ipp\n"}) {
    const auto parameters = ReadOne(dsn);
    EXPECT_EQ(parameters.at("host"), "db.example");
    EXPECT_EQ(parameters.at("user"), "gateway");
    EXPECT_EQ(parameters.at("password"), "pw");
    EXPECT_EQ(parameters.at("dbname"), "ipp");
  }
}

TEST_F(PostgresTargetTest, TakesThePasswordFileAsItIs) {
  password_file_ = directory_.File("password");
  std::ofstream(password_file_) << "# a'b \\\r\nsecond line";
  EXPECT_EQ(ReadOne("host=db.example password=older").at("password"), "# a'b \\");
}

TEST_F(PostgresTargetTest, MakesATargetOfEachHost) {
  const auto targets = Read("host=a,b,c hostaddr=,192.0.2.1, port=1,2,3 connect_timeout=7").value();
  ASSERT_EQ(targets.size(), 3u);
  EXPECT_EQ(targets[0].parameters.at("host"), "a");
  EXPECT_FALSE(targets[0].parameters.contains("hostaddr"));
  EXPECT_EQ(targets[1].parameters.at("host"), "b");
  EXPECT_EQ(targets[1].parameters.at("hostaddr"), "192.0.2.1");
  EXPECT_EQ(targets[2].parameters.at("port"), "3");
  EXPECT_EQ(targets[2].connect_timeout, std::chrono::seconds(7));
  EXPECT_EQ(Read("host=a,b port=1").value()[1].parameters.at("port"), "1");
}

struct TlsCase {
  const char* dsn;
  const char* sslmode;  // "" when left to libpq
};
class PostgresTls : public PostgresTargetTest, public testing::WithParamInterface<TlsCase> {};
INSTANTIATE_TEST_SUITE_P(
    PostgresTargetTest, PostgresTls,
    testing::Values(TlsCase{"host=db.example", "verify-full"},
                    TlsCase{"host=10.0.0.5", "verify-full"},
                    TlsCase{"hostaddr=10.0.0.5 host=localhost", "verify-full"},
                    TlsCase{"host=localhost.example", "verify-full"},
                    TlsCase{"host=db.example sslmode=require", "require"},
                    TlsCase{"postgresql://db.example/ipp?sslmode=disable", "disable"},
                    TlsCase{"host=localhost", ""}, TlsCase{"host=127.0.0.1", ""},
                    TlsCase{"host=::1", ""}, TlsCase{"host=/var/run/postgresql", ""},
                    TlsCase{"dbname=ipp", ""}));

TEST_P(PostgresTls, ChecksTheServerUnlessItIsLocalOrTold) {
  const auto parameters = ReadOne(GetParam().dsn);
  const auto mode = parameters.find("sslmode");
  EXPECT_EQ(mode == parameters.end() ? "" : mode->second, GetParam().sslmode);
  EXPECT_EQ(parameters.contains("sslrootcert"),
            absl::string_view(GetParam().sslmode) == "verify-full");
}

TEST_F(PostgresTargetTest, LeavesTheAuthoritiesThatAreNamed) {
  EXPECT_EQ(ReadOne("host=db.example sslrootcert=/ca.pem").at("sslrootcert"), "/ca.pem");
}

TEST_F(PostgresTargetTest, LooksForTheServerThatCanBeWritten) {
  EXPECT_EQ(ReadOne("host=a").at("target_session_attrs"), "read-write");
  EXPECT_EQ(ReadOne("host=a", PostgresRole::kRead).at("target_session_attrs"), "primary");
  EXPECT_EQ(ReadOne("host=a target_session_attrs=any").at("target_session_attrs"), "any");
}

class PostgresBadDsn : public PostgresTargetTest,
                       public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(PostgresTargetTest, PostgresBadDsn,
                         testing::Values("", "# only a comment\n", "host=a password=top secret",
                                         "postgresql://gateway:top@secret@db.example/ipp",
                                         "postgresql://gateway:top/secret@db.example/ipp",
                                         "host=a password='top secret", "secret=1",
                                         "service=secret"));

TEST_P(PostgresBadDsn, IsRefusedWithoutAWordOfIt) {
  const absl::Status refused = Read(GetParam()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << GetParam() << refused;
  EXPECT_THAT(refused.message(), AllOf(HasSubstr(directory_.File("dsn")), Not(HasSubstr("secret")),
                                       Not(HasSubstr("top"))));
}

TEST_F(PostgresTargetTest, NamesTheFileThatIsMissing) {
  password_file_ = directory_.File("missing");
  EXPECT_THAT(Read("host=a").status().message(), HasSubstr(password_file_));
  EXPECT_THAT(ReadTargets({directory_.File("none"), ""}, PostgresRole::kRead).status().message(),
              HasSubstr(directory_.File("none")));
}

}  // namespace
}  // namespace ipp::store
