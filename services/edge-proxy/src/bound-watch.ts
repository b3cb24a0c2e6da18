/** Who waits for a phone of a user to register again (domain/phone-return.ts). A REGISTER that nobody waits for costs a look. */
import type { Clock } from './edge.ts'

export interface BoundWatch {
  /** Told at each registration of this user, until it is stopped. */
  on(user: string, run: () => void): () => void
  /** Told once its REGISTER is answered. */
  bound(user: string): void
}

export function createBoundWatch(clock: Clock): BoundWatch {
  const awaited = new Map<string, Set<() => void>>()
  return {
    on(user, run) {
      const beside = awaited.get(user) ?? new Set()
      awaited.set(user, beside.add(run))
      return () => {
        beside.delete(run)
        if (beside.size === 0 && awaited.get(user) === beside) awaited.delete(user)
      }
    },
    bound(user) {
      for (const run of awaited.get(user) ?? []) clock.setTimer(0, run)
    },
  }
}
