export async function listen(url: string, token: string, show: (text: string) => void): Promise<void> {
  // #region client
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  const text = response.body!.pipeThrough(new TextDecoderStream())
  for await (const part of text) show(part)
  // #endregion
}
