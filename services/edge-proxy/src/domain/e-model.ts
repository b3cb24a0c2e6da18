/**
 * Mean opinion score by a simplified E-model (ITU-T G.107): R = 93.2 - Id - Ie,eff, every other term at its default value.
 *
 * - Ie,eff = Ie + (95 - Ie) * Ppl / (Ppl + Bpl) for random loss (G.107 7.5), Ie and Bpl of the codec by G.113 appendix I.
 * - Id = 0.024 d + 0.11 (d - 177.3) H(d - 177.3), the fit of Cole and Rosenbluth (2001) to G.107's own curve; d is the
 *   one-way delay from mouth to ear.
 * - R becomes a MOS by G.107 annex B.
 *
 * G.107 is about narrow-band speech: wide-band codecs (G.722, Opus, AMR-WB) have another scale (G.107.1), and others have
 * no Bpl in G.113. For them nothing is said.
 */

interface Impairment {
  /** Ie: of the codec without any loss. */
  readonly ie: number
  /** Bpl: how well it hides loss. */
  readonly bpl: number
}

/** G.113 appendix I by RTP encoding name; where a name stands for several variants, the least of them. */
const CODECS: ReadonlyMap<string, Impairment> = new Map([
  // with the loss concealment of G.711 appendix I, that phones and gateways have
  ['pcmu', { ie: 0, bpl: 25.1 }],
  ['pcma', { ie: 0, bpl: 25.1 }],
  // G.729A with silence suppression
  ['g729', { ie: 11, bpl: 19 }],
  // 6.3 kbit/s with silence suppression
  ['g723', { ie: 15, bpl: 16.1 }],
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
