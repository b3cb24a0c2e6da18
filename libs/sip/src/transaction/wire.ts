/**
 * Where messages of a transaction go: a connection, or a UDP socket together with a remote address. The transport
 * layer of the owner makes these; identity (===) matters for `TransactionLayer.wireFailed`.
 */
export interface Wire {
  /** True for TCP, TLS, WS, WSS. */
  readonly reliable: boolean
  /** As it stands in Via: `UDP`, `TCP`, `TLS`, `WS`, `WSS`. */
  readonly transport: string
  /** What goes into the sent-by of our Via: `host` or `host:port` (RFC 3261 18.1.1). */
  readonly sentBy: string
  /** RFC 5923 8.1: requests say `alias` in Via: the peer may send its own over this connection. */
  readonly alias?: boolean
  /** UDP: the connection for requests over 1300 bytes (RFC 3261 18.1.1) to the same peer, while there is one. */
  large?: () => Wire | undefined
  /** For logs and traces, such as `udp 127.0.0.1:5060 > 127.0.0.2:40112`. */
  readonly name: string
  /**
   * Sends one whole message. May throw when sending is impossible; a failure noticed later is told with
   * `TransactionLayer.wireFailed(wire)`. The bytes are kept for retransmission: they must not be changed.
   */
  send(bytes: Uint8Array): void
}
