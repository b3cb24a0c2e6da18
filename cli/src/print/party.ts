import type { Party } from '@tandem/contracts/values.ts'

/** `alice`, `trunk itsp-a`, `192.0.2.7` */
export function partyName(party: Party): string {
  if (party.kind === 'user') return party.user
  return party.kind === 'trunk' ? `trunk ${party.trunk}` : party.address
}
