/** Who had a number when: told from the revisions of the configuration. */
import { findNumber, type NumberState, type NumberView } from './number-list.ts'

export interface Holding {
  /** Who has it, or what it was when nobody did; `none`: not ours. */
  state: NumberState | 'none'
  user?: string
  site?: string
  failover?: string
}
export interface HoldingChange extends Holding {
  revision: number
  at: string
  by: string
  why: string
}

export const holdingOf = (numbers: readonly NumberView[], number: string): Holding =>
  heldBy(findNumber(numbers, number))

/** `view`: what is said of the number. */
export function heldBy(view: NumberView | undefined): Holding {
  if (view === undefined) return { state: 'none' }
  const { state, user, site, failover } = view
  return {
    state,
    ...(user === undefined ? {} : { user }),
    ...(site === undefined ? {} : { site }),
    ...(failover === undefined ? {} : { failover }),
  }
}

/** The revisions with which something changed, newest first. `revisions`: oldest first. */
export function holdingChanges(revisions: readonly HoldingChange[]): HoldingChange[] {
  const said = ({ state, user, site, failover }: Holding) => JSON.stringify([state, user, site, failover])
  return revisions
    .filter((one, i) => {
      const before = revisions[i - 1]
      return before === undefined ? one.state !== 'none' : said(before) !== said(one)
    })
    .reverse()
}
