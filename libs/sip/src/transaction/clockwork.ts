/** What every transaction machine needs to know of its transport and of time (RFC 3261 17.1.1.1, table 4). */
export interface Clockwork {
  /** True over TCP, TLS, WS: nothing is retransmitted and waiting times are zero. */
  readonly reliable: boolean
  /** Round-trip time estimate, ms. */
  readonly t1: number
  /** Longest retransmission interval for non-INVITE requests and INVITE responses, ms. */
  readonly t2: number
  /** How long a message stays in the network, ms. */
  readonly t4: number
}

/** RFC 3261 table 4: T1 500 ms, T2 4 s, T4 5 s. */
export const DEFAULT_TIMES = { t1: 500, t2: 4000, t4: 5000 } as const

/** RFC 3261 17.1.1.2: "Timer D ... at least 32 seconds for unreliable transports", whatever T1 is. */
export const TIMER_D_MS = 32_000

/** RFC 3261 17.2.1: 100 (Trying) is due unless the user answers within 200 ms. */
export const TRYING_MS = 200
