/** What a stream answers to a message that was published into it. */
import { BusAway, type Recorded } from './outcome.ts'

/** JSApi error of a stream with discard_new_per_subject whose subject is full. */
const MAXIMUM_PER_SUBJECT = 10077

/** Throws `BusAway` when the stream has not taken it. */
export function readAck(subject: string, answer: unknown): Recorded {
  const ack = answer as {
    seq?: number
    duplicate?: boolean
    error?: { err_code?: number; description?: string }
  } | null
  // the subject holds its one record already, this or another
  if (ack?.error?.err_code === MAXIMUM_PER_SUBJECT) return 'occupied'
  if (ack?.error || typeof ack?.seq !== 'number')
    throw new BusAway(`${subject}: ${ack?.error?.description ?? 'no acknowledgement of a stream'}`)
  return ack.duplicate ? 'duplicate' : 'stored'
}
