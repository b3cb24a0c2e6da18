/**
 * Mean opinion score by a simplified E-model (ITU-T G.107): R = 93.2 - Id - Ie,eff, every other term at its default value.
 *
 * - Ie,eff = Ie + (95 - Ie) * Ppl / (Ppl + Bpl) for random loss (G.107 7.5), Ie and Bpl of the codec by G.113 appendix I.
 * - Id = 0.024 d + 0.11 (d - 177.3) H(d - 177.3), the fit of Cole and Rosenbluth (2001) to G.107's own curve; d is the
 *   one-way delay from mouth to ear.
 * - R becomes a MOS by G.107 annex B.
 *
 * G.107 is about narrow-band speech, and nothing is said of what it or G.113 cannot answer for (ADR 155):
 * - AMR-WB has its own scale (G.107.1, R up to 129), and its Ie,wb goes by the mode of each frame, from 1 at 23.05 kbit/s
 *   to 41 at 6.6 (G.113 table IV.1); with loss there is a Bpl for three of nine modes, and for listening with both ears
 *   only (table IV.4). The name of the codec tells none of that.
 * - G.722: an Ie,wb that could be confirmed was not found. Opus, iLBC and AMR are not in the tables of G.113.
 */

interface Impairment {
  /** Ie: of the codec without any loss. */
  readonly ie: number
  /** Bpl: how well it hides loss. */
  readonly bpl: number
}

/**
 * G.113 appendix I by RTP encoding name: Ie of table I.1, Bpl of the table of codecs under random loss beside it; where a
 * name stands for several variants, the least of them.
 */
const CODECS: ReadonlyMap<string, Impairment> = new Map([
  // with the loss concealment of G.711 appendix I, that phones and gateways have; without it Bpl is 4.3
  ['pcmu', { ie: 0, bpl: 25.1 }],
  ['pcma', { ie: 0, bpl: 25.1 }],
  // G.729A with silence suppression, 20 ms packets; G.729 has Ie 10
  ['g729', { ie: 11, bpl: 19 }],
  // G.723.1 at 6.3 kbit/s with silence suppression, 30 ms packets
  ['g723', { ie: 15, bpl: 16.1 }],
  // 12.2 kbit/s; its Ie was read again, its Bpl was not found anew
  ['gsm-efr', { ie: 5, bpl: 10 }],
])

const BEST_R = 93.2

export interface Heard {
  /** RTP encoding name. */
  readonly codec: string
  /** Of what was expected, 0 to 100. */
  readonly lossPercent: number
  /** One way, from mouth to ear, ms; undefined: not known, and its effect is left out (listening quality). */
  readonly delayMs: number | undefined
}

export interface Opinion {
  /** 1 to 4.5. */
  readonly mos: number
  /** Conversational or listening quality (RFC 3611 4.7.5): with the effect of delay or without. */
  readonly model: 'g107-simplified-cq' | 'g107-simplified-lq'
}

/** Undefined: the model knows nothing of this codec. */
export function opinionOf({ codec, lossPercent, delayMs }: Heard): Opinion | undefined {
  const impairment = CODECS.get(codec.toLowerCase())
  if (impairment === undefined) return undefined
  const r = BEST_R - (delayMs === undefined ? 0 : delayImpairment(delayMs)) - lossImpairment(impairment, lossPercent)
  return { mos: mosOfR(r), model: delayMs === undefined ? 'g107-simplified-lq' : 'g107-simplified-cq' }
}

function lossImpairment({ ie, bpl }: Impairment, percent: number): number {
  return ie + ((95 - ie) * percent) / (percent + bpl)
}

function delayImpairment(ms: number): number {
  return 0.024 * ms + (ms > 177.3 ? 0.11 * (ms - 177.3) : 0)
}

/** G.107 annex B. Below R = 6.5 its polynomial leaves the scale: 1. */
export function mosOfR(r: number): number {
  if (r <= 6.5) return 1
  if (r >= 100) return 4.5
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
}
