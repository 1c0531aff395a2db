using System.Security.Cryptography;
using System.Text;
using Godwit.Store;

namespace Godwit.ApiServer.Security;

/// <summary>
/// Several servers over one store are one cluster only if they have one authority and one key for tokens: what one of them
/// signs, the others believe. The first server writes down which they are; each other one compares before it does anything.
/// </summary>
internal static class SharedAuthority
{
    public const string Key = "godwit/authority";

    /// <exception cref="InvalidDataException">This server's keys are not those of the store's other servers.</exception>
    public static async Task CheckAsync(IRevisionStore store, PkiFolder pki, CancellationToken stopping)
    {
        var own = Describe(pki);
        var write = await store.CreateAsync(Key, Encoding.ASCII.GetBytes(own), stopping);
        if (!write.Succeeded && write.Existing is { } there && Encoding.ASCII.GetString(there.Value.Span) != own)
        {
            throw new InvalidDataException(
                $"The store is served by servers with another authority, or another key for tokens of service accounts, than those in {pki.FolderPath}: clients of theirs would not believe this server. Copy the whole folder pki/ of one of them over it, and start again.");
        }
    }

    /// <summary>Digests of public keys alone: the store's readers learn nothing by them.</summary>
    private static string Describe(PkiFolder pki)
    {
        using var accounts = pki.AccountKey();
        return $"ca={Digest(pki.Authority.Certificate.RawData)}\nservice-accounts={Digest(accounts.ExportSubjectPublicKeyInfo())}\n";
    }

    private static string Digest(byte[] publicPart) => Convert.ToHexStringLower(SHA256.HashData(publicPart));
}
