using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Where a paged list goes on: after the key, at the revision. Opaque to clients; it holds no secret and gives no
/// right, since the key must lie under the prefix of the list that it is used for.
/// </summary>
internal readonly record struct ContinueToken(long Revision, string AfterKey)
{
    public override string ToString() => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"1 {Revision} {AfterKey}")));

    /// <exception cref="StatusException">Not a token of this server, or of another list: 400.</exception>
    public static ContinueToken Parse(string text, string keyPrefix)
    {
        if (text.Length <= 2048 && Base64Url.IsValid(text))
        {
            var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text)).Split(' ', 3);
            if (parts is ["1", var revision, var key] && key.StartsWith(keyPrefix, StringComparison.Ordinal)
                && long.TryParse(revision, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0)
            {
                return new ContinueToken(number, key);
            }
        }

        throw StatusException.BadRequest("continue key is not valid: it was not made by this server for this list");
    }
}
