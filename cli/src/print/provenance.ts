/** Where a leg comes from, in a word or two: who signed its caller, and who transferred it. Empty for most legs. */
import type { Cdr } from '@tandem/contracts/billing.ts'

/** `A` (proven, or given by us), `failed`, `unsigned` where the trunk looks at signatures; STIR/SHAKEN. */
export function signature({ attestation, verstat }: Pick<Cdr, 'attestation' | 'verstat'>): string {
  if (verstat === 'TN-Validation-Failed') return 'failed'
  return attestation ?? (verstat === 'No-TN-Validation' ? 'unsigned' : '')
}

/** `by alice`, `by trunk itsp-a`, `with CALL`. */
export function transfer({ referredBy, joined }: Pick<Cdr, 'referredBy' | 'joined'>): string {
  const by = referredBy?.replace(/^user:/, '').replace(/^trunk:/, 'trunk ')
  return [...(by === undefined ? [] : [`by ${by}`]), ...(joined === undefined ? [] : [`with ${joined}`])].join(' ')
}
