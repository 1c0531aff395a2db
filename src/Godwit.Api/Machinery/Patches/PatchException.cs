namespace Godwit.Api.Machinery.Patches;

/// <summary>Why a patch was not applied. The object is as it was.</summary>
public sealed class PatchException(string message, bool isMalformed = true) : Exception(message)
{
    /// <summary>True: the patch is no patch (400). False: it does not fit the object, a failed test for one (422).</summary>
    public bool IsMalformed { get; } = isMalformed;
}

/// <summary>Bounds on what patches may ask for.</summary>
public static class PatchLimits
{
    /// <summary>Operations in one JSON patch.</summary>
    public const int OperationsMax = 10_000;

    /// <summary>Nesting of the patched object.</summary>
    public const int DepthMax = 64;

    /// <summary>What all copies of one JSON patch may add up to, in characters of JSON.</summary>
    public const int CopiedCharactersMax = 3 * 1024 * 1024;
}
