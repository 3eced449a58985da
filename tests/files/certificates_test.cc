#include "server/files/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/files/made_certificate.h"

namespace ipp::files {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const absl::Time kNow = absl::FromCivil(absl::CivilSecond(2026, 6, 1), absl::UTCTimeZone());
constexpr absl::Duration kDay = absl::Hours(24);

class Certificates : public ::testing::Test {
 protected:
  Certificates() {
    std::string name = testing::TempDir() + "pemXXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~Certificates() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return directory_ / name;
  }
  std::string Path(const std::string& name) const { return directory_ / name; }

  static MadeCertificate Living(absl::Duration since, absl::Duration left) {
    return MakeCertificate(kNow - since, kNow + left);
  }

  std::filesystem::path directory_;
  const MadeCertificate good_ = Living(kDay, 300 * kDay);
  const MadeCertificate old_ = Living(300 * kDay, -kDay);
  const MadeCertificate early_ = Living(-kDay, 300 * kDay);
};

TEST_F(Certificates, OfAChainAreDatedByTheFirst) {
  const auto chain = ReadChain(Write("c", good_.certificate + early_.certificate), kNow);
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_EQ(chain->begins, kNow - kDay);
  EXPECT_EQ(chain->expires, kNow + 300 * kDay);
  EXPECT_EQ(chain->pem, good_.certificate + early_.certificate);
}

struct LifeRow {
  std::string name;
  absl::Duration since;
  absl::Duration left;
  std::string refusal;  // of a chain
  std::string warning;
};

void PrintTo(const LifeRow& row, std::ostream* out) { *out << row.name; }

class CertificateLife : public Certificates, public ::testing::WithParamInterface<LifeRow> {};

TEST_P(CertificateLife, IsJudged) {
  const LifeRow& row = GetParam();
  const std::string path = Write("c", Living(row.since, row.left).certificate);
  const auto chain = ReadChain(path, kNow);
  const auto authorities = ReadAuthorities(path, kNow);
  EXPECT_EQ(chain.ok(), row.refusal.empty());
  EXPECT_EQ(authorities.ok(), row.refusal.empty());
  if (!row.refusal.empty()) {
    EXPECT_EQ(std::string(chain.status().message()), absl::StrCat(path, ": ", row.refusal));
    EXPECT_EQ(std::string(authorities.status().message()),
              absl::StrCat(path, ": no authority is valid: ", row.refusal));
    return;
  }
  for (const auto& warnings : {chain->warnings, authorities->warnings}) {
    if (row.warning.empty()) {
      EXPECT_THAT(warnings, IsEmpty());
    } else {
      EXPECT_THAT(warnings, ElementsAre(absl::StrCat(path, ": ", row.warning)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CertificateLife,
    ::testing::Values(LifeRow{"Long", kDay, 31 * kDay, "", ""},
                      LifeRow{"LastMonth", 300 * kDay, 29 * kDay, "",
                              "the certificate expires soon (2026-06-30T00:00:00Z)"},
                      LifeRow{"LastSecond", 300 * kDay, absl::ZeroDuration(), "",
                              "the certificate expires soon (2026-06-01T00:00:00Z)"},
                      LifeRow{"JustExpired", 300 * kDay, -absl::Seconds(1),
                              "the certificate has expired (2026-05-31T23:59:59Z)", ""},
                      LifeRow{"JustBegun", absl::ZeroDuration(), 300 * kDay, "", ""},
                      LifeRow{"NotYet", -absl::Seconds(1), 300 * kDay,
                              "the certificate is not valid before 2026-06-01T00:00:01Z", ""},
                      LifeRow{"ShortAndYoung", absl::Hours(1), absl::Hours(23), "", ""},
                      LifeRow{"ShortAndOld", absl::Hours(17), absl::Hours(7), "",
                              "the certificate expires soon (2026-06-01T07:00:00Z)"}),
    [](const auto& info) { return info.param.name; });

TEST_F(Certificates, BehindTheFirstOfAChainOnlyWarn) {
  const std::string path = Write("c", good_.certificate + old_.certificate);
  const auto chain = ReadChain(path, kNow);
  ASSERT_TRUE(chain.ok());
  EXPECT_THAT(chain->warnings,
              ElementsAre(HasSubstr("certificate 2 of 2 has expired (2026-05-31T00:00:00Z)")));
}

TEST_F(Certificates, OfAuthoritiesNeedOneThatIsValid) {
  const std::string path = Write("c", old_.certificate + good_.certificate);
  const auto authorities = ReadAuthorities(path, kNow);
  ASSERT_TRUE(authorities.ok()) << authorities.status();
  EXPECT_EQ(authorities->expires, kNow + 300 * kDay);
  EXPECT_THAT(authorities->warnings, ElementsAre(HasSubstr("certificate 1 of 2 has expired")));
  EXPECT_THAT(std::string(ReadAuthorities(Write("o", old_.certificate + early_.certificate), kNow)
                              .status()
                              .message()),
              HasSubstr("no authority is valid: certificate 1 of 2 has expired"));
}

TEST_F(Certificates, ThatCannotBeReadAreRefusedByTheirPath) {
  const std::pair<std::string, std::string> rows[] = {
      {"", "holds no certificate in PEM form"},
      {"no certificate\n", "holds no certificate in PEM form"},
      {good_.key, "holds no certificate in PEM form"},
      {good_.certificate.substr(0, 200), "certificate 1 cannot be read"},
      {good_.certificate + good_.certificate.substr(0, 200), "certificate 2 cannot be read"},
  };
  for (const auto& [text, error] : rows) {
    const std::string path = Write("c", text);
    EXPECT_EQ(std::string(ReadChain(path, kNow).status().message()),
              absl::StrCat(path, ": ", error));
    EXPECT_EQ(std::string(ReadAuthorities(path, kNow).status().message()),
              absl::StrCat(path, ": ", error));
  }
  EXPECT_TRUE(absl::IsNotFound(ReadChain(Path("none"), kNow).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadChain(directory_, kNow).status()));
}

TEST_F(Certificates, NeedTheirOwnKey) {
  const auto chain = ReadChain(Write("c", good_.certificate), kNow).value();
  EXPECT_EQ(ReadKey(Write("k", good_.key), chain).value(), good_.key);
  // Both in one file, in either order.
  EXPECT_TRUE(ReadKey(Write("k", good_.certificate + good_.key), chain).ok());
  EXPECT_TRUE(ReadChain(Write("c", good_.key + good_.certificate), kNow).ok());

  const auto refusal = [&](const std::string& text, const CertificateFile& of) {
    const std::string path = Write("k", text);
    const absl::Status status = ReadKey(path, of).status();
    EXPECT_EQ(std::string(status.message()).find(path + ": "), 0);
    return std::string(status.message()).substr(path.size() + 2);
  };
  EXPECT_EQ(refusal(early_.key, chain), "the private key does not belong to the certificate");
  EXPECT_EQ(refusal("key\n", chain), "holds no private key in PEM form");
  EXPECT_EQ(refusal(good_.certificate, chain), "holds no private key in PEM form");
  EXPECT_EQ(refusal(good_.encrypted_key, chain),
            "the private key is encrypted: the gateway has no passphrase for it");
  const auto two = ReadChain(Write("c", good_.certificate + early_.certificate), kNow).value();
  EXPECT_EQ(refusal(early_.key, two),
            "belongs to certificate 2 of the chain: that one must be the first");
}

}  // namespace
}  // namespace ipp::files
