/** What became of a question. The asker always gets one of these, never an exception. */
export type Asked<A> =
  | { readonly kind: 'answer'; readonly answer: A }
  /** No responder, or the bus is away: known at once. */
  | { readonly kind: 'nobody' }
  /** No answer before the deadline: hung or overloaded. */
  | { readonly kind: 'late' }
  /** The responder could not answer: a bad question or a fault of its own. */
  | { readonly kind: 'refused'; readonly why: string }

/** One message of a durable consumer. A poison message is one that does not match its contract. */
export type Delivered<B> =
  | {
      readonly kind: 'fact'
      readonly subject: string
      readonly body: B
      readonly sequence: number
      readonly deliveries: number
      readonly traceparent: string | undefined
    }
  | {
      readonly kind: 'poison'
      readonly subject: string
      readonly raw: Uint8Array
      readonly why: string
      readonly sequence: number
      readonly deliveries: number
      readonly traceparent: string | undefined
    }

/**
 * `duplicate`: the stream has taken this very message before. `occupied`: it takes one record per subject, and has one,
 * this or another.
 */
export type Recorded = 'stored' | 'duplicate' | 'occupied'

/** The bus cannot take a record now: keep it and try again. */
export class BusAway extends Error {
  override readonly name = 'BusAway'
}
