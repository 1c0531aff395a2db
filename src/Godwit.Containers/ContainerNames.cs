using System.Security.Cryptography;

namespace Godwit.Containers;

/// <summary>Containers' names.</summary>
internal static class ContainerNames
{
    private const int LengthMax = 128;

    private static readonly string[] Manners =
    [
        "brave", "bright", "calm", "clever", "eager", "early", "fair", "gentle", "glad", "keen", "kind", "lively", "lucky", "merry", "noble", "patient", "proud", "quick", "quiet", "sharp", "shy",
        "steady", "swift", "tidy", "wise", "young",
    ];

    private static readonly string[] Birds =
    [
        "avocet", "bittern", "bunting", "curlew", "dotterel", "dunlin", "eider", "egret", "fulmar", "gannet", "godwit", "greenshank", "heron", "kittiwake", "knot", "lapwing", "linnet", "oriole",
        "petrel", "pipit", "plover", "puffin", "redshank", "ruff", "sanderling", "skua", "snipe", "stint", "tern", "turnstone", "wagtail", "whimbrel", "wigeon", "wren",
    ];

    /// <exception cref="InvalidRequestException">It is no name.</exception>
    internal static string Check(string name)
    {
        var bare = name.StartsWith('/') ? name[1..] : name;
        return bare.Length is > 1 and <= LengthMax && char.IsAsciiLetterOrDigit(bare[0]) && bare.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '.' or '-')
            ? bare
            : throw new InvalidRequestException($"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    }

    internal static string Generate(int attempt)
    {
        var name = $"{Manners[RandomNumberGenerator.GetInt32(Manners.Length)]}_{Birds[RandomNumberGenerator.GetInt32(Birds.Length)]}";
        return attempt == 0 ? name : $"{name}{RandomNumberGenerator.GetInt32(1000)}";
    }
}
