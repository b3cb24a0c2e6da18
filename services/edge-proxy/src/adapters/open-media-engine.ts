/** The media engine that the configuration names (`edge.media.relay`). */
import { randomInt } from 'node:crypto'
import type { Configuration } from '@tandem/config/defaults.ts'
import type { MediaEngine } from '../domain/media-engine.ts'
import { policedMedia } from '../domain/policed-media.ts'
import type { Edge } from '../edge.ts'
import { openMediaRelay } from './media-relay.ts'
import { openRtpengine } from './rtpengine.ts'

export function openMediaEngine(
  settings: Omit<Configuration['edge']['media'], 'inactivityMs'>,
  { clock, log }: Pick<Edge, 'clock' | 'log'>,
): MediaEngine {
  const { relay, control, address, firstPort, lastPort } = settings
  const now = () => clock.now()
  const embedded = openMediaRelay({ address, firstPort, lastPort, now })
  const engine = relay === 'rtpengine' ? openRtpengine({ control, now, log, reserve: embedded }) : embedded
  return policedMedia(engine, () => String(randomInt(2 ** 47)))
}
