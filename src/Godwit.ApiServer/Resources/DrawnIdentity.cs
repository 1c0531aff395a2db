using System.Security.Cryptography;

namespace Godwit.ApiServer.Resources;

/// <summary>What of a new object's identity is drawn by chance: its uid, and the end of a name that the server makes.</summary>
internal sealed record DrawnIdentity
{
    private const int SuffixLength = 5;

    // No vowels and nothing that looks like something else: a random name is never a word.
    public const string SuffixLetters = "bcdfghjklmnpqrstvwxz2456789";

    public Func<Guid> NewUid { get; init; } = Guid.NewGuid;

    public Func<string> NewSuffix { get; init; } = () => RandomNumberGenerator.GetString(SuffixLetters, SuffixLength);
}
