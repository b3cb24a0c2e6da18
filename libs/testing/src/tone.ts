/** G.711 µ-law (ITU-T G.711), tones, and telling which tone is heard (Goertzel). Pure; 8000 samples a second. */

export const SAMPLE_RATE = 8000
/** Samples, and µ-law bytes, of a 20 ms packet. */
export const PACKET_SAMPLES = 160

const BIAS = 0x84
const CLIP = 32_635

/** One 16-bit sample as µ-law. */
export function encodeMuLaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0
  const magnitude = Math.min(Math.abs(sample), CLIP) + BIAS
  const exponent = Math.max(Math.floor(Math.log2(magnitude)) - 7, 0)
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f
  return ~(sign | (exponent << 4) | mantissa) & 0xff
}

const DECODED = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff
  const magnitude = ((((code & 0x0f) << 3) + BIAS) << ((code >> 4) & 7)) - BIAS
  return code & 0x80 ? -magnitude : magnitude
})

/** One second of a sine in µ-law; it repeats without a click because `hz` is a whole number. */
export function toneSecond(hz: number, amplitude = 8000): Uint8Array {
  return Uint8Array.from({ length: SAMPLE_RATE }, (_, i) =>
    encodeMuLaw(Math.round(amplitude * Math.sin((2 * Math.PI * hz * i) / SAMPLE_RATE))),
  )
}

/**
 * How much of the sound in these µ-law bytes is that tone: 1 for the pure tone, about 0 for another or silence.
 * Over 640 samples tones 25 Hz apart are told apart.
 */
export function toneShare(muLaw: Uint8Array, hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / SAMPLE_RATE)
  let s1 = 0
  let s2 = 0
  let energy = 0
  for (const byte of muLaw) {
    const sample = DECODED[byte] as number
    const s0 = sample + coefficient * s1 - s2
    s2 = s1
    s1 = s0
    energy += sample * sample
  }
  // below about -50 dB it is silence
  if (energy < muLaw.length * 10_000) return 0
  const power = s1 * s1 + s2 * s2 - coefficient * s1 * s2
  return power / (energy * (muLaw.length / 2))
}

let tones = 0

/** A tone that no other phone of this process has (as long as there are fewer than 40), Hz. */
export function nextTone(): number {
  return 400 + 75 * (tones++ % 40)
}
