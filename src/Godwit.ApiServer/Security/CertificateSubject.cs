using System.Security.Cryptography.X509Certificates;

namespace Godwit.ApiServer.Security;

/// <summary>Reads a certificate's subject as a user: CN is the name, each O a group.</summary>
internal static class CertificateSubject
{
    private const string CommonName = "2.5.4.3";
    private const string Organization = "2.5.4.10";

    /// <summary>The user, or null for a subject without a name or with parts that hold several values.</summary>
    public static User? Read(X509Certificate2 certificate)
    {
        var name = "";
        var groups = new List<string>();
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (part.HasMultipleElements)
            {
                return null;
            }

            var value = part.GetSingleElementValue() ?? "";
            switch (part.GetSingleElementType().Value)
            {
                case CommonName:
                    name = value;
                    break;
                case Organization:
                    groups.Add(value);
                    break;
                default:
                    break;
            }
        }

        return name.Length > 0 ? new User(name, [.. groups, User.AuthenticatedGroup]) : null;
    }
}
