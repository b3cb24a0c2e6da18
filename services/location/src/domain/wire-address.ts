/** One spelling for what identifies a port, an access point or a phone, however a device or a person writes it. */

/** 12 hex digits of a MAC address or BSSID in any spelling (`0A-23-…`, `0a:23:…`, `0a23.cd16.aa2e`); undefined for anything else. */
export function macOf(written: string): string | undefined {
  const digits = written
    .trim()
    .toLowerCase()
    .replace(/[-:. ]/g, '')
  return /^[0-9a-f]{12}$/.test(digits) ? digits : undefined
}

/** A BSSID, or the beginning of BSSIDs when it ends in `*` (as Lync has it): the digits and whether they are a beginning. */
export function bssidPattern(written: string): { readonly digits: string; readonly beginning: boolean } | undefined {
  const digits = written
    .trim()
    .toLowerCase()
    .replace(/[-:. ]/g, '')
  const wild = /^([0-9a-f]{2,11})\*$/.exec(digits)
  if (wild) return { digits: wild[1] as string, beginning: true }
  return /^[0-9a-f]{12}$/.test(digits) ? { digits, beginning: false } : undefined
}

/** LLDP chassis ids are mostly MAC addresses, some are names: both are compared without regard to spelling. */
export function chassisOf(written: string): string {
  return macOf(written) ?? written.trim().toLowerCase()
}

export function portOf(written: string): string {
  return written.trim().toLowerCase()
}
