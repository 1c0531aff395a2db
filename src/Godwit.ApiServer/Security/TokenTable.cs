using System.Security.Cryptography;
using System.Text;

namespace Godwit.ApiServer.Security;

/// <summary>
/// Bearer tokens and their users. Only hashes are kept, and a token is found by its hash: how long a look-up takes says
/// nothing about how much of a guess was right.
/// </summary>
internal sealed class TokenTable
{
    private const int TokensMax = 10_000;
    private const int TokenCharactersMin = 16;

    private readonly Dictionary<string, User> byHash = new(StringComparer.Ordinal);

    public void Add(string token, User user) => byHash[Hash(token)] = user;

    public User? Find(string token) => byHash.GetValueOrDefault(Hash(token));

    /// <summary>Reads lines of <c>token,user,uid,"group,group"</c>, Kubernetes' static token file.</summary>
    /// <exception cref="InvalidDataException">A line is not one; the message names the line, never what is in it.</exception>
    public void AddFile(string path)
    {
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            var fields = line.Split(',', 4, StringSplitOptions.TrimEntries);
            if (fields.Length < 2 || fields[0].Length < TokenCharactersMin || fields[1].Length == 0 || byHash.Count >= TokensMax)
            {
                throw new InvalidDataException($"{path}, line {number}: expected token,user[,uid[,\"group,group\"]] with a token of at least {TokenCharactersMin} characters, and at most {TokensMax} lines.");
            }

            var groups = fields.Length > 3 ? fields[3].Trim('"').Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [];
            Add(fields[0], new User(fields[1], [.. groups, User.AuthenticatedGroup], fields.Length > 2 ? fields[2] : ""));
        }
    }

    private static string Hash(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
