/** Q.850 causes of SIP statuses: RFC 3398 8.2.6.1; 31 (normal, unspecified) for what is not listed there. */
const CAUSES: Readonly<Record<number, number>> = {
  400: 41,
  401: 21,
  402: 21,
  403: 21,
  404: 1,
  405: 63,
  406: 79,
  407: 21,
  408: 102,
  410: 22,
  413: 127,
  414: 127,
  415: 79,
  416: 127,
  420: 127,
  421: 127,
  423: 127,
  480: 18,
  481: 41,
  482: 25,
  483: 25,
  484: 28,
  485: 1,
  486: 17,
  // RFC 3398 8.2.6.1 has no mapping: the call was cleared by CANCEL, which is 16
  487: 16,
  500: 41,
  501: 79,
  502: 38,
  503: 41,
  504: 102,
  505: 127,
  513: 127,
  600: 17,
  603: 21,
  604: 1,
}

/** Cause of the end of a leg: 16 (normal clearing) for an answered one that was hung up. */
export function causeOf(status: number, answered: boolean): number {
  return answered ? 16 : (CAUSES[status] ?? 31)
}

/** The peer's own word: `Reason: Q.850;cause=17` (RFC 3326 2). */
export function causeOfReason(reasons: readonly string[]): number | undefined {
  for (const reason of reasons) {
    const found = /(?:^|,)\s*Q\.850\s*;[^,]*?cause\s*=\s*(\d{1,3})/i.exec(reason)?.[1]
    if (found !== undefined) return Number(found)
  }
  return undefined
}
