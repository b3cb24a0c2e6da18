/** The event state compositor of RFC 3903: what devices published, by entity-tag. */
import { PIDF_TYPE, type PidfDocument, parsePidf } from '@tandem/pidf/pidf.ts'
import type { Publication } from './publication.ts'

export interface PublishQuestion {
  /** The authenticated sender. */
  readonly publisher: string
  /** The presentity's user, already looked up. */
  readonly user: string | undefined
  readonly entity: string
  readonly event: string
  readonly ifMatch?: string
  /** s */
  readonly expires: number
  readonly contentType?: string
  readonly body?: string
}

export interface PublishOutcome {
  readonly status: number
  readonly reason?: string
  readonly etag?: string
  /** Granted, s. */
  readonly expires?: number
  readonly publication?: Publication
}

/** Longest life of a publication, s. */
export const PUBLISH_MAXIMUM_S = 3_600
/** Publications that one user may have at once. */
const PER_USER = 16

export interface EventState {
  publish(question: PublishQuestion, now: number): PublishOutcome
  sweep(now: number): void
  size(): number
}

interface Stored {
  readonly etag: string
  readonly publication: Publication
}

/** `newTag` gives a tag that was never given before. */
export function createEventState(newTag: () => string): EventState {
  const byTag = new Map<string, Stored>()

  function give(previous: Stored | undefined, publication: Publication, expires: number): PublishOutcome {
    if (previous) byTag.delete(previous.etag)
    // RFC 3903 6: a new entity-tag with every 200, for a refresh too
    const etag = newTag()
    if (!publication.ended) byTag.set(etag, { etag, publication })
    return { status: 200, etag, expires, publication }
  }

  return {
    publish(question, now) {
      const refusal = refuse(question)
      if (refusal) return refusal
      const user = question.user as string
      const expires = Math.min(question.expires, PUBLISH_MAXIMUM_S)
      const previous = question.ifMatch === undefined ? undefined : byTag.get(question.ifMatch)
      // RFC 3903 6 step 4: no event state of this tag (or it has run out): 412
      if (
        question.ifMatch !== undefined &&
        !(previous && previous.publication.user === user && previous.publication.expires > now)
      )
        return { status: 412, reason: 'Conditional Request Failed' }
      const until = now + expires * 1000
      if (question.body === undefined) {
        if (!previous) return { status: 400, reason: 'A first PUBLISH needs a body' }
        const { publication } = previous
        const over = expires === 0
        return give(
          previous,
          { ...publication, expires: over ? now : until, seq: publication.seq + 1, ended: over },
          expires,
        )
      }
      const read = parsePidf(question.body, { entity: question.entity })
      if (read.kind === 'refused')
        return { status: read.reason === 'too-large' ? 413 : 400, reason: `PIDF: ${read.detail}` }
      if (!previous && count(byTag.values(), user) >= PER_USER) return { status: 503, reason: 'Too many publications' }
      const instance = previous?.publication.instance ?? newTag()
      const seq = (previous?.publication.seq ?? 0) + 1
      const said = published(read.document)
      const publication: Publication = {
        ...{ user, source: 'publish', instance, ...said, device: 'unknown', confidence: 'certain' },
        ...{ since: now, expires: expires === 0 ? now : until, epoch: 0, seq, ended: expires === 0, renewal: false },
      }
      return give(previous, publication, expires)
    },
    sweep(now) {
      for (const [etag, { publication }] of byTag) if (publication.expires <= now) byTag.delete(etag)
    },
    size: () => byTag.size,
  }
}

function refuse(question: PublishQuestion): PublishOutcome | undefined {
  if (question.event !== 'presence') return { status: 489, reason: 'Bad Event' }
  if (question.user === undefined) return { status: 404, reason: 'No such user' }
  if (question.user !== question.publisher) return { status: 403, reason: 'Not your presence' }
  const type = question.contentType?.split(';', 1)[0]?.trim().toLowerCase()
  if (question.body !== undefined && type !== PIDF_TYPE) return { status: 415, reason: 'Unsupported Media Type' }
  return undefined
}

function count(stored: Iterable<Stored>, user: string): number {
  let n = 0
  for (const s of stored) if (s.publication.user === user) n++
  return n
}

/** RFC 3863 and 4480 as availability: closed everywhere is offline; words for do-not-disturb are widespread, not standard. */
function published(document: PidfDocument): Pick<Publication, 'availability' | 'activities'> {
  const activities = [...new Set<string>(document.persons.flatMap((p) => p.activities))].sort()
  const other = document.persons.flatMap((p) => p.other ?? []).map((o) => o.toLowerCase().replace(/[^a-z]/g, ''))
  if (other.some((o) => o === 'donotdisturb' || o === 'dnd')) return { availability: 'dnd', activities }
  if (!document.tuples.some((t) => t.basic === 'open')) return { availability: 'offline', activities: [] }
  if (activities.includes('busy')) return { availability: 'busy', activities }
  return { availability: activities.includes('away') ? 'away' : 'available', activities }
}
