namespace Godwit.Oci.Distribution;

/// <summary>Reads an answer whole, but never more of it than is bearable.</summary>
internal static class BoundedBody
{
    /// <exception cref="RegistryException">It is longer.</exception>
    public static async Task<byte[]> ReadAsync(HttpResponseMessage response, int bytesMax, CancellationToken stopping)
    {
        await using var body = await response.Content.ReadAsStreamAsync(stopping);
        using var all = new MemoryStream();
        var buffer = new byte[16 << 10];
        int count;
        while ((count = await body.ReadAsync(buffer, stopping)) > 0)
        {
            all.Write(buffer, 0, count);
            if (all.Length > bytesMax)
            {
                throw new RegistryException(RegistryFailure.Malformed, $"The answer to {response.RequestMessage?.RequestUri?.GetLeftPart(UriPartial.Path)} is longer than {bytesMax} bytes.");
            }
        }

        return all.ToArray();
    }
}
