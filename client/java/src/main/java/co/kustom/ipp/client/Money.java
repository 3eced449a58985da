package co.kustom.ipp.client;

/** Whether a payment was paid. After NOT_KNOWN collect the same request again, with {@code resumed}. */
public enum Money {
  PAID,
  NOT_PAID,
  NOT_KNOWN
}
